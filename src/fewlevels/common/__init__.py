"""Common ground: what every stage may use, and what knows of none."""
