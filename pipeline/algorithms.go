package pipeline

// Each family registers its algorithms.
import (
	_ "ctr/models/factor"
	_ "ctr/models/linear"
	_ "ctr/models/stack"
	_ "ctr/models/trees"
)
