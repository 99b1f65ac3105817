package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// mlflowQuestion is a question whose answer comes in pages.
type mlflowQuestion struct {
	operation, path string
	query           url.Values
	// raw reads the answer as it came, not as it is stored: paths must be given back to the server unchanged.
	raw bool
}

// maxMLflowPages bounds the pages of one question.
const maxMLflowPages = 1000

// pages asks for page after page, and hands each to take, which says whether more are wanted. The answer is whether there
// are more that nobody wanted.
func pages[T any](ctx context.Context, a *mlflowAsking, q mlflowQuestion, take func(T) (bool, error)) (more bool, err error) {
	seen := map[string]bool{}
	for range maxMLflowPages {
		var page T
		answer, err := a.ask(ctx, q.operation, q.path, q.query, &page)
		if err != nil {
			return false, err
		}
		if q.raw {
			var asItCame T
			if err := answer.JSON(&asItCame); err != nil {
				return false, err
			}
			page = asItCame
		}
		wanted, err := take(page)
		if err != nil {
			return false, a.Nonsense(q.operation, err)
		}
		var raw struct { // tokens look like secrets, and are removed from all that is read else
			Next string `json:"next_page_token"`
		}
		if err := answer.JSON(&raw); err != nil {
			return false, err
		}
		if raw.Next == "" || !wanted {
			return raw.Next != "", nil
		}
		if seen[raw.Next] {
			return false, a.Nonsense(q.operation, errors.New("its pages go round in a circle"))
		}
		seen[raw.Next] = true
		q.query.Set("page_token", raw.Next)
	}
	return false, a.Nonsense(q.operation, fmt.Errorf("it has more than %d pages", maxMLflowPages))
}
