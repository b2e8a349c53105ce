package generate

import (
	"slices"
	"strings"

	"autotagger/internal/models"
)

func ownCalls(s *models.Service, iam *models.IAMService) calls {
	for _, n := range s.Names() {
		if strings.HasPrefix(n, "Tag") || n == "AddTags" || n == "CreateTags" || strings.HasPrefix(n, "AddTags") {
			p := s.Metadata.Signing()
			if iam != nil {
				p = iam.Prefix
			}
			return calls{irregular: true, permissions: slices.Compact([]string{p + ":" + n})}
		}
	}
	return calls{}
}
