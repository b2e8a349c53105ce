package catalogue

import "fmt"

// Calls are one service's own tag calls: how its client writes and reads tags.
type Calls struct {
	Name string // botocore's name of the service, the key of the block
}

// clientField reads a field of a client's block in the head of a data file.
func (p *parser) clientField(key, value string) error {
	if key == "client" {
		p.client = &Calls{Name: value}
		if p.calls == nil {
			p.calls = map[string]*Calls{}
		}
		p.calls[value] = p.client
		return nil
	}
	return fmt.Errorf("a client has no field %q", key)
}
