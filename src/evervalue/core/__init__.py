"""What every other part may use: errors, text, time, money, settings, progress. Imports nothing of ours."""
