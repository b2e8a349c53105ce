package catalogue

// Parse reads a data file. The error joins every fault, each with its line.
func Parse(name, text string) ([]*Row, error) { return parse(name, text) }
