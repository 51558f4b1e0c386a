package infer

import (
	_ "embed"
	"io"
	"log"
	"net/http"
)

//go:embed openapi.json
var openAPIDocument []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) *fault {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPIDocument) // an error means that who asked has gone
	return nil
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) } //nolint:forbidigo // http.Server takes no other, and this one prints nothing
