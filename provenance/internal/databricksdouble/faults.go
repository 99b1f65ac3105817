package databricksdouble

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Fault answers one request in place of the workspace.
type Fault func(http.ResponseWriter, *http.Request)

// Answer is a fault that answers JSON of one's own.
func Answer(status int, body string) Fault {
	return func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(status)
		fmt.Fprint(out, body)
	}
}

// Busy is 429 with a Retry-After header, which is left out if it is empty.
func Busy(retryAfter string) Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		if retryAfter != "" {
			out.Header().Set("Retry-After", retryAfter)
		}
		Answer(http.StatusTooManyRequests, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Too many requests."}`)(out, req)
	}
}

// Unavailable is 503, as a load balancer sends it.
func Unavailable(out http.ResponseWriter, _ *http.Request) {
	http.Error(out, "upstream connect error", http.StatusServiceUnavailable)
}

// Expired is 401.
func Expired(out http.ResponseWriter, req *http.Request) {
	Answer(http.StatusUnauthorized, `{"error_code":"UNAUTHENTICATED","message":"Token is expired."}`)(out, req)
}

// Reset cuts the connection before anything is answered.
func Reset(out http.ResponseWriter, _ *http.Request) {
	conn, _, err := out.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Stall begins an answer and never goes on.
func Stall(out http.ResponseWriter, req *http.Request) {
	fmt.Fprint(out, `{"run_id":`)
	out.(http.Flusher).Flush()
	<-req.Context().Done()
}

// Cut ends in the middle of an answer whose length was announced.
func Cut(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Length", "1000")
	fmt.Fprint(out, `{"run_id":`)
}

// Huge is a valid answer of that many bytes.
func Huge(bytes int) Fault {
	return func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(out, `{"run_name":"`)
		block := strings.Repeat("x", 1<<16)
		for sent := 0; sent < bytes; sent += len(block) {
			if _, err := fmt.Fprint(out, block); err != nil {
				return
			}
		}
		fmt.Fprint(out, `"}`)
	}
}

// LoginPage is a web page with status 200, as an identity provider in the way sends it.
func LoginPage(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Type", "text/html")
	fmt.Fprint(out, "<!DOCTYPE html><html><title>Sign in</title></html>")
}

// Redirect sends the client elsewhere.
func Redirect(to string) Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		http.Redirect(out, req, to, http.StatusTemporaryRedirect)
	}
}
