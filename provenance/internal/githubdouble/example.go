package githubdouble

import (
	"fmt"
	"strings"
)

// Account is an account as GitHub describes it.
func Account(id int64, login string) map[string]any {
	return map[string]any{"login": login, "id": id, "node_id": "MDQ6VXNlcjE=", "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4", "url": "https://api.github.com/users/" + login,
		"html_url": "https://github.com/" + login, "type": "User", "site_admin": false}
}

// Review is a review as GitHub describes it; minute is when, after 01:00.
func Review(id int, user map[string]any, state, commit string, minute int) map[string]any {
	return map[string]any{"id": id, "user": user, "body": "", "state": state, "commit_id": commit, "html_url": "https://github.com/" + Repository + "/pull/88",
		"submitted_at": fmt.Sprintf("2026-11-23T01:%02d:00Z", minute), "author_association": "MEMBER"}
}

// fill makes the example.
func (a *API) fill() {
	ada, grace, linus := Account(Ada, "ada-l"), Account(Grace, "ghopper"), Account(Linus, "linus")
	header := map[string]any{"name": "Ada Lovelace", "email": "ada@contoso.com", "date": "2026-11-23T01:10:00Z"}
	old := strings.Repeat("8", 40)
	a.Commit = map[string]any{"sha": Commit, "node_id": "x", "html_url": "https://github.com/" + Repository + "/commit/" + Commit, "author": ada, "committer": Account(19864447, "web-flow"), "parents": []any{},
		"commit": map[string]any{"author": header, "committer": header, "message": "Weight recent applications\n\nSigned-off-by: Ada Lovelace <ada@contoso.com>",
			"verification": map[string]any{"verified": true, "reason": "valid", "signature": "-----BEGIN PGP SIGNATURE-----", "payload": "author Ada Lovelace <ada@contoso.com>", "verified_at": "2026-11-23T01:31:00Z"}},
		"files": []any{map[string]any{"filename": "train.py", "patch": "+password = planted-patch"}}}
	activity := func(after, ref, kind, at string, who map[string]any) map[string]any {
		return map[string]any{"id": 1, "before": old, "after": after, "ref": ref, "timestamp": at, "activity_type": kind, "actor": who}
	}
	a.Activity = []map[string]any{
		activity(old, "refs/heads/main", "push", "2026-11-23T01:50:00Z", linus),
		activity(Commit, "refs/heads/copy", "branch_creation", "2026-11-23T01:45:00Z", linus),
		activity(Commit, "refs/heads/main", "pr_merge", "2026-11-23T01:30:00Z", grace),
		activity(Commit, "refs/heads/main", "force_push", "2026-11-23T01:20:00Z", linus),
	}
	a.Pulls = []map[string]any{{"number": 88, "state": "closed", "title": "Weight recent applications", "user": ada, "merged": true, "merged_at": "2026-11-23T01:30:00Z", "merged_by": grace,
		"merge_commit_sha": Commit, "html_url": "https://github.com/" + Repository + "/pull/88",
		"head":                map[string]any{"ref": "recent", "label": "ada-l:recent", "sha": old, "user": ada, "repo": map[string]any{"full_name": "ada-l/mortgage", "owner": ada}},
		"base":                map[string]any{"ref": "main", "label": "contoso:main", "repo": map[string]any{"full_name": Repository}},
		"requested_reviewers": []any{linus, grace}, "requested_teams": []any{map[string]any{"id": 5, "name": "Risk", "slug": "risk"}}}}
	a.Reviews = map[string][]map[string]any{"88": {
		Review(1, grace, "CHANGES_REQUESTED", old, 1), Review(2, ada, "COMMENTED", old, 2), Review(3, grace, "APPROVED", Commit, 3), Review(4, grace, "COMMENTED", Commit, 4),
		Review(5, Account(1004, "mallory"), "DISMISSED", old, 5), Review(6, Account(1005, "eve"), "PENDING", old, 6), {"id": 7, "user": nil, "state": "APPROVED", "commit_id": old, "html_url": "https://github.com/" + Repository + "/pull/88", "submitted_at": "2026-11-23T01:07:00Z"}}}
}
