//go:build ignore

// Constant answers every request alike once it has read it: what net/http and
// the kernel leave to a server. The port is its argument.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	answer := []byte(`{"id":"1","probability":0.17,"prediction":0}` + "\n")
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})))
}
