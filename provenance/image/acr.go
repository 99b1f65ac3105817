package image

// isACR tells whether the host is an Azure container registry.
func isACR(host string) bool { return false }

type authError struct{ error }
