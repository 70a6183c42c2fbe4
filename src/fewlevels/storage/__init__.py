"""Storage: folders of results and single files, whole or absent, whoever else writes there."""
