"""Study: thousands of models trained, searched and stored, resumable, then analysed."""
