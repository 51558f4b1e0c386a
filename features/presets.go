package features

import (
	"fmt"
	"slices"
	"strings"
)

// Avazu gives the schema of Avazu's click logs (Kaggle, 2014): 24 columns, or
// 23 in the test file, which has no click, or 25 in a stream whose rows lead
// with an index (unnamed here, as it means nothing). All columns but id, click
// and hour are categories, C1 and C14 to C21 too, whose numbers are codes.
func Avazu() *Schema {
	s := &Schema{Name: "avazu", Comma: ','}
	train := Layout{
		"id", "click", "hour", "C1", "banner_pos", "site_id", "site_domain", "site_category",
		"app_id", "app_domain", "app_category", "device_id", "device_ip", "device_model",
		"device_type", "device_conn_type", "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21",
	}
	kinds := map[string]Kind{"id": ID, "click": Label, "hour": Time}
	for _, name := range train {
		kind, ok := kinds[name]
		if !ok {
			kind = Category
		}
		s.Columns = append(s.Columns, Column{Name: name, Kind: kind})
	}
	stream := slices.Insert(slices.Clone(train), 0, "")
	test := slices.Delete(slices.Clone(train), 1, 2)
	s.Layouts = []Layout{train, stream, test}
	return s
}

// Criteo gives the schema of Criteo's display advertising logs (Kaggle, 2014):
// tab-separated, without a header; a label, 13 integers I1 to I13 and 26
// categories C1 to C26, of which any may be empty. The test file has 39
// columns, without the label.
func Criteo() *Schema {
	s := &Schema{Name: "criteo", Comma: '\t', Columns: []Column{{Name: "label", Kind: Label}}}
	for i := 1; i <= 13; i++ {
		s.Columns = append(s.Columns, Column{Name: fmt.Sprintf("I%d", i), Kind: Number})
	}
	for i := 1; i <= 26; i++ {
		s.Columns = append(s.Columns, Column{Name: fmt.Sprintf("C%d", i), Kind: Category})
	}
	var train Layout
	for _, c := range s.Columns {
		train = append(train, c.Name)
	}
	s.Layouts = []Layout{train, slices.Clone(train[1:])}
	return s
}

// Presets gives the built-in schemas, new values each time: Avazu, Criteo.
func Presets() []*Schema { return []*Schema{Avazu(), Criteo()} }

// Preset gives the built-in schema of that name.
func Preset(name string) (*Schema, error) {
	var names []string
	for _, s := range Presets() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, fmt.Errorf("schema %q: want one of %s", name, strings.Join(names, ", "))
}
