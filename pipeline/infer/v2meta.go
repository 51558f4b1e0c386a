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

func (s *Server) serverMetadata(w http.ResponseWriter, _ *http.Request) *fault {
	return writeJSON(w, ServerMetadata{Name: "ctr", Version: s.o.Version, Extensions: []string{}})
}

func (s *Server) readyV2(w http.ResponseWriter, _ *http.Request) *fault {
	if s.draining.Load() {
		return &fault{status: http.StatusServiceUnavailable, text: "stopping"}
	}
	return writeJSON(w, map[string]bool{"ready": true})
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
}

// ModelMetadata is the answer to GET /v2/models/NAME.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

// Metadata describes a model: its inputs are the columns that rows must have.
func (m *Model) Metadata(versions []string) ModelMetadata {
	a := m.Artifact()
	d := ModelMetadata{
		Name: m.Name, Versions: versions, Platform: "ctr_" + a.Model.Algo(), Inputs: []TensorMetadata{},
		Outputs: []TensorMetadata{
			{outputProbability, "FP64", []int64{-1}}, {outputPrediction, "INT64", []int64{-1}}, {outputID, "BYTES", []int64{-1}},
		},
	}
	for col, need := range m.Needs() {
		if !need {
			continue
		}
		name, kind := m.Layout()[col], "BYTES"
		if a.Spec.Schema.Kind(name) == features.Number {
			kind = "FP64"
		}
		d.Inputs = append(d.Inputs, TensorMetadata{name, kind, []int64{-1}})
	}
	return d
}

func (s *Server) modelMetadata(w http.ResponseWriter, q *http.Request) *fault {
	m, _, f := s.model(q)
	if f != nil {
		return f
	}
	var versions []string
	for _, other := range s.o.Registry.Models() {
		if other.Name == m.Name {
			versions = append(versions, other.Version)
		}
	}
	return writeJSON(w, m.Metadata(versions))
}
