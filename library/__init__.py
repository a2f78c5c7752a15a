"""The ground floor: photos on disk and their names, records of the journal, memory and safe writing."""
