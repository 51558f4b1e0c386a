package models

import (
	"fmt"
	"slices"
	"strings"
)

var algorithms []Algorithm

// Register adds an algorithm; a subpackage calls it from init. It panics if
// the name is taken, which can only be a mistake in the program.
func Register(a Algorithm) {
	if _, err := Lookup(a.Name); err == nil {
		panic("models: algorithm " + a.Name + " registered twice")
	}
	algorithms = append(algorithms, a)
	slices.SortFunc(algorithms, func(a, b Algorithm) int { return strings.Compare(a.Name, b.Name) })
}

// Lookup finds an algorithm by name.
func Lookup(name string) (Algorithm, error) {
	for _, a := range algorithms {
		if a.Name == name {
			return a, nil
		}
	}
	return Algorithm{}, fmt.Errorf("algorithm %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Names gives the names of the algorithms, ascending.
func Names() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.Name
	}
	return names
}
