package infer

// Refuser is an Observer that wants to know why requests were not answered.
type Refuser interface {
	// Refused tells of an answer that is an error. row is the number of the row
	// that is at fault, from 1, or 0. Values of redacted columns are not in why.
	Refused(route string, status, row int, why string)
}

// refused tells a Refuser of f, which may be nil.
func (s *Server) refused(route string, f *fault) {
	if r, ok := s.o.Observer.(Refuser); ok && f != nil {
		r.Refused(route, f.status, f.row, f.text)
	}
}
