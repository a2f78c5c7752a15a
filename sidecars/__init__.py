"""Words in XMP sidecars: read, put in and taken out, without changing one byte that another program or a person wrote."""
