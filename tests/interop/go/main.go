// Verifies what it is given on standard input, as tests/interop/verify.mjs does, by Standard Webhooks' library for Go.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

type request struct {
	Secret  string
	Headers [][2]string
	Body    string
}

func verify(r request) error {
	body, err := base64.StdEncoding.DecodeString(r.Body)
	if err != nil {
		return err
	}
	headers := http.Header{}
	for _, h := range r.Headers {
		headers.Add(h[0], h[1])
	}
	webhook, err := standardwebhooks.NewWebhook(r.Secret)
	if err != nil {
		return err
	}
	return webhook.Verify(body, headers)
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	results := []string{}
	for _, r := range requests {
		if err := verify(r); err != nil {
			results = append(results, err.Error())
		} else {
			results = append(results, "ok")
		}
	}
	json.NewEncoder(os.Stdout).Encode(results)
}
