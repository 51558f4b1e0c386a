package linear

// prefetch asks for the slots of codes, so that they are near when they are
// read. It changes nothing, and a code outside the table does no harm.
//
//go:noescape
func prefetch(table []slot, codes []uint32)
