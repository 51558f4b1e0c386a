// Command ctr trains, judges and serves models of click-through rate.
package main

import (
	"os"

	"ctr/commands"
)

func main() { os.Exit(commands.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
