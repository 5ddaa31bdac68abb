"""Charts as data: pure functions from rows to ECharts options.

Options hold no code. Where a chart needs a colour of the theme it says `@high`; where it needs a number in
the reader's notation it says `fmt:money`; `static/app.js` resolves both, so that one option serves both
themes.
"""
