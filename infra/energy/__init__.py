"""Energy, heat and carbon of a site: grid data, EN 50600 indicators, carbon claims, grid guard, EU report.

Pure but for loading files. Every figure computed here is simulated (numbers from a plan), never metered,
unless a file of measured values says otherwise.
"""
