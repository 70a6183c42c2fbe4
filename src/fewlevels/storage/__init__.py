"""Storage: folders of results and single files. A file is there whole or not at all, even if others write there."""
