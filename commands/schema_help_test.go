package commands

import (
	"strings"
	"testing"

	"ctr/features"
)

// The schema that the help shows is one that ctr reads.
func TestSchemaExample(t *testing.T) {
	t.Parallel()
	s, err := features.ReadSchema(strings.NewReader(schemaExample), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Find(features.Label); got != "bought" || len(s.Columns) != 8 || len(s.Layouts) != 1 {
		t.Errorf("label %q, %d columns, %d layouts: want bought, 8 and 1", got, len(s.Columns), len(s.Layouts))
	}
	if !strings.Contains(schemaHelp, schemaExample) {
		t.Error("the help does not show the example")
	}
}
