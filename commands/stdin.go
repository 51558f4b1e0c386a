package commands

import (
	"context"
	"io"
)

// patientReader reads from r until ctx ends: a terminal or a pipe that says
// nothing must not keep a command from being interrupted. Reading begins with
// the first Read, in a goroutine that lives until r ends or the program does;
// it is one buffer ahead.
type patientReader struct {
	ctx context.Context
	r   io.Reader

	full, empty chan []byte
	err         error // of r; set before full is closed
	rest, buf   []byte
}

const patientBuffer = 1 << 18

// Read gives what r gives, or ctx's error once it has ended.
func (p *patientReader) Read(b []byte) (int, error) {
	if p.full == nil {
		p.full, p.empty = make(chan []byte), make(chan []byte, 2)
		p.empty <- make([]byte, patientBuffer)
		p.empty <- make([]byte, patientBuffer)
		go p.pump()
	}
	if len(p.rest) == 0 {
		if p.buf != nil {
			p.empty <- p.buf[:cap(p.buf)]
			p.buf = nil
		}
		select {
		case buf, ok := <-p.full:
			if !ok {
				return 0, p.err
			}
			p.buf, p.rest = buf, buf
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// pump hands over what r gives.
func (p *patientReader) pump() {
	for buf := range p.empty {
		n, err := p.r.Read(buf)
		if n > 0 {
			select {
			case p.full <- buf[:n]:
			case <-p.ctx.Done():
				err = p.ctx.Err()
			}
		} else {
			p.empty <- buf
		}
		if err != nil {
			p.err = err
			close(p.full)
			return
		}
	}
}
