// A stand-in for MongoDB that keeps its data in SQLite files, for tests: FerretDB as a library, on loopback, no login.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	address := flag.String("addr", "127.0.0.1:27017", "host:port to listen on")
	folder := flag.String("data", "", "folder of the SQLite files; it must exist")
	flag.Parse()

	if err := serve(*address, *folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers on address until SIGTERM or SIGINT.
func serve(address, folder string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("-data names no folder: %q", folder)
	}

	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: address},
		Handler:   "sqlite",
		SQLiteURL: "file:" + folder + "/",
	})
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	return server.Run(ctx)
}
