"""Groups to names: headings, themes, subjects, and the names of the report before."""
