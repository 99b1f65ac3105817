package httpclient

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// pause is how long to wait before the next attempt: what Retry-After says, or a doubling wait, of which a random half is
// left out so that many clients do not come back at once.
func (c *Client) pause(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	if wait, asked := c.retryAfter(resp); asked {
		return wait
	}
	wait := min(c.options.Wait<<min(attempt, 16), c.options.Patience)
	return wait/2 + rand.N(wait/2+1)
}

// retryAfter reads the header of that name, in seconds or as a date; a date in the past asks for no wait.
// Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func (c *Client) retryAfter(resp *http.Response) (wait time.Duration, asked bool) {
	if resp == nil {
		return 0, false
	}
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(c.options.Now())), true
	}
	return 0, false
}
