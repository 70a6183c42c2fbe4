"""Common: what every stage stands on."""
