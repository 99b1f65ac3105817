package provenance

// Person is somebody that a source names. ID is a stable identifier at the identity provider: the object id in Entra, or
// azure-devops:ID and github:ID where a service tells no object id.
type Person struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}
