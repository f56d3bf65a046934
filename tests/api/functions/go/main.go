// A function made with AWS' library for Go: does what its event asks for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Unusual is an error with a type of its own.
type Unusual struct{ Word string }

func (unusual *Unusual) Error() string { return "unusual: " + unusual.Word }

func init() {
	fmt.Println("initialised")
	if os.Getenv("FAIL") == "exit" {
		os.Exit(7)
	}
	if os.Getenv("FAIL") == "panic" {
		panic("at the start")
	}
}

func handle(ctx context.Context, event map[string]any) (any, error) {
	switch event["do"] {
	case "context":
		return described(ctx), nil
	case "environment":
		return os.Environ(), nil
	case "machine":
		return runtime.GOARCH, nil
	case "error":
		return nil, errors.New("as asked")
	case "unusual":
		return nil, &Unusual{"word"}
	case "panic":
		panic("as asked")
	case "exit":
		os.Exit(5)
	case "sleep":
		time.Sleep(time.Minute)
	case "memory":
		var kept [][]byte
		for {
			kept = append(kept, []byte(strings.Repeat("x", 1<<20)))
		}
	case "large":
		return strings.Repeat("x", int(event["bytes"].(float64))), nil
	case "unserialisable":
		return make(chan int), nil
	case "bytes":
		return strings.NewReader("as it is"), nil
	case "layer":
		text, err := os.ReadFile("/opt/of-layer")
		return string(text), err
	}
	return event, nil
}

func described(ctx context.Context) any {
	deadline, _ := ctx.Deadline()
	found, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"request": found.AwsRequestID, "arn": found.InvokedFunctionArn, "identity": found.Identity.CognitoIdentityID,
		"title": found.ClientContext.Client.AppTitle, "custom": found.ClientContext.Custom,
		"name": lambdacontext.FunctionName, "version": lambdacontext.FunctionVersion, "memory": lambdacontext.MemoryLimitInMB,
		"group": lambdacontext.LogGroupName, "stream": lambdacontext.LogStreamName,
		"remaining": time.Until(deadline).Milliseconds(), "trace": ctx.Value("x-amzn-trace-id"),
	}
}

func main() {
	fmt.Fprintln(os.Stderr, "to the other")
	lambda.Start(handle)
}
