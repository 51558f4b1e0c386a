package infer

import (
	"net/http"

	"ctr/features"
)

// handleV2 adds the pages of the Open Inference Protocol.
func (s *Server) handleV2(mux *http.ServeMux) {
	s.handle(mux, "GET /v2", s.serverMetadata)
	s.handle(mux, "GET /v2/health/live", func(w http.ResponseWriter, _ *http.Request) *fault {
		return writeJSON(w, map[string]bool{"live": true})
	})
	s.handle(mux, "GET /v2/health/ready", s.readyV2)
	s.handle(mux, "POST /v2/repository/index", s.repositoryIndex)
	for _, of := range []string{"/v2/models/{name}", "/v2/models/{name}/versions/{version}"} {
		s.handle(mux, "GET "+of, s.modelMetadata)
		s.handle(mux, "GET "+of+"/ready", s.modelReady)
		s.handle(mux, "POST "+of+"/infer", s.infer)
	}
}

// ServerMetadata is the answer to GET /v2.
type ServerMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// about gives the metadata of the server. The extensions are named as Triton
// names them.
func (s *Server) about() *ServerMetadata {
	return &ServerMetadata{Name: "ctr", Version: s.o.Version, Extensions: []string{"binary_tensor_data", "model_repository"}}
}

func (s *Server) serverMetadata(w http.ResponseWriter, _ *http.Request) *fault {
	return writeJSON(w, s.about())
}

func (s *Server) readyV2(w http.ResponseWriter, _ *http.Request) *fault {
	if s.draining.Load() {
		return &fault{status: http.StatusServiceUnavailable, text: "stopping"}
	}
	return writeJSON(w, map[string]bool{"ready": true})
}

// IndexedModel is a model in the answer to POST /v2/repository/index.
type IndexedModel struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	State   string `json:"state"`  // READY
	Reason  string `json:"reason"` // why the newest file is not served; "" where it is
}

// index gives all models, all of which are ready.
func (s *Server) index() []IndexedModel {
	list := []IndexedModel{}
	for _, m := range s.o.Registry.Models() {
		x := IndexedModel{Name: m.Name, Version: m.Version, State: "READY"}
		if err := s.o.Registry.Refused(m); err != nil {
			x.Reason = err.Error()
		}
		list = append(list, x)
	}
	return list
}

func (s *Server) repositoryIndex(w http.ResponseWriter, _ *http.Request) *fault {
	return writeJSON(w, s.index())
}

func (s *Server) modelReady(w http.ResponseWriter, q *http.Request) *fault {
	m, _, f := s.model(q)
	if f != nil {
		return f
	}
	return writeJSON(w, map[string]any{"name": m.Name, "ready": true})
}

// TensorMetadata describes an input or an output. A shape of -1 is any number
// of rows.
type TensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
	// Parameters are MLServer's: content_type "str" of BYTES that are text, and
	// of ours optional, true for inputs that may be left out.
	Parameters map[string]any `json:"parameters,omitempty"`
}

// ModelMetadata is the answer to GET /v2/models/NAME.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

// Metadata describes a model: its inputs are the columns that rows must have,
// and then the id and the label, which may be left out.
func (m *Model) Metadata(versions []string) *ModelMetadata {
	a := m.Artifact()
	d := &ModelMetadata{
		Name: m.Name, Versions: versions, Platform: "ctr_" + a.Model.Algo(), Inputs: []TensorMetadata{},
	}
	for o := probability; o <= ids; o <<= 1 {
		d.Outputs = append(d.Outputs, column(o.name(), o.datatype(), false))
	}
	schema := &a.Spec.Schema
	for col, need := range m.Needs() {
		if name := m.Layout()[col]; need {
			d.Inputs = append(d.Inputs, column(name, datatypeOfKind(schema.Kind(name)), false))
		}
	}
	for _, k := range []features.Kind{features.ID, features.Label} {
		if name := schema.Find(k); name != "" && !m.needs(name) {
			d.Inputs = append(d.Inputs, column(name, datatypeOfKind(k), true))
		}
	}
	return d
}

// needs reports whether rows must have a column.
func (m *Model) needs(name string) bool {
	col, ok := m.columns[name]
	return ok && m.Needs()[col]
}

// datatypeOfKind gives how values of a column are best sent. All others that
// have the same text do as well.
func datatypeOfKind(k features.Kind) string {
	switch k {
	case features.Number, features.Weight:
		return "FP64"
	case features.Label:
		return "INT64"
	}
	return "BYTES"
}

func column(name, datatype string, optional bool) TensorMetadata {
	t := TensorMetadata{Name: name, Datatype: datatype, Shape: []int64{-1}}
	if datatype == "BYTES" || optional {
		t.Parameters = map[string]any{}
	}
	if datatype == "BYTES" {
		t.Parameters["content_type"] = "str"
	}
	if optional {
		t.Parameters["optional"] = true
	}
	return t
}

// describe gives the metadata of a model with the versions of its name.
func (s *Server) describe(m *Model) *ModelMetadata {
	var versions []string
	for _, other := range s.o.Registry.Models() {
		if other.Name == m.Name {
			versions = append(versions, other.Version)
		}
	}
	return m.Metadata(versions)
}

func (s *Server) modelMetadata(w http.ResponseWriter, q *http.Request) *fault {
	m, _, f := s.model(q)
	if f != nil {
		return f
	}
	return writeJSON(w, s.describe(m))
}
