package emulator

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// Shared is one moto for all tests of a package: the first that asks starts it, and
// TestMain stops it. The zero value is usable.
type Shared struct {
	Region string // of [Server.Config], us-east-1 if empty

	once sync.Once
	srv  *Server
	err  error
	last atomic.Int64
}

// Server is the server.
func (s *Shared) Server() (*Server, error) {
	s.once.Do(func() { s.srv, s.err = Start(context.Background(), Options{Region: s.Region}) })
	return s.srv, s.err
}

// Number is another one each time, for names that nothing in the server has yet.
func (s *Shared) Number() int64 { return s.last.Add(1) }

// Stop ends the server, if there is one.
func (s *Shared) Stop() {
	if s.srv != nil {
		s.srv.Stop()
	}
}

// MakeLedger makes a table of DynamoDB with the keys of the ledger's, in the region of
// [Server.Config].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (s *Server) MakeLedger(ctx context.Context, name string) error {
	const keys = `"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"at","KeyType":"RANGE"}],` +
		`"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"at","AttributeType":"S"}]`
	return s.send(ctx, http.MethodPost, "/", fmt.Sprintf(`{"TableName":%q,"BillingMode":"PAY_PER_REQUEST",%s}`, name, keys), http.Header{
		"Authorization": {"AWS4-HMAC-SHA256 Credential=testing/20260101/" + s.region + "/dynamodb/aws4_request, SignedHeaders=host, Signature=0"},
		"X-Amz-Target":  {"DynamoDB_20120810.CreateTable"},
	})
}
