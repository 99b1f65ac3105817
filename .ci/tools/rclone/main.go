// Command rclone is rclone with the parts that the bench needs: the whole program takes minutes to build.
package main

import (
	_ "github.com/rclone/rclone/backend/azureblob"
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/hashsum"
)

func main() { cmd.Main() }
