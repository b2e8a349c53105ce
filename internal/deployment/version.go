package deployment

// Version is that of these sources, as CHANGELOG.md heads it; with "-dev" the next
// one's, which is under Unreleased there. It is no build's: the same sources deploy
// the same, wherever they are built.
const Version = "0.1.0-dev"

// OutputVersion is the output of [Stack] with the version that is deployed.
const OutputVersion = "Version"
