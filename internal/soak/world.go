package soak

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode"

	"autotagger/internal/sample"
)

// destiny is what is special about a resource.
type destiny string

const (
	plain   destiny = "plain"
	slow    destiny = "slow"    // unknown for a while, then not ready for a while
	deleted destiny = "deleted" // soon after it was made
	guarded destiny = "guarded" // nobody may tag it
	cursed  destiny = "cursed"  // the request for it is invalid, for ever
	stuck   destiny = "stuck"   // never ready
	full    destiny = "full"    // it has fifty tags
	claimed destiny = "claimed" // its request names a creator
	adopted destiny = "adopted" // someone else has named a creator, and the event comes late
)

// resource is one resource and what happens to it.
type resource struct {
	*kind
	arn, account, region, name string
	creator                    string
	destiny                    destiny
	made                       time.Time
	visible, ready, gone       time.Time // gone: zero if it stays
	lag                        time.Duration
	foreign                    map[string]string // others' tags, which must stay as they are

	tags    map[string]string
	history []snapshot
	written []string // values of the key creator that were written, one after another
	denials []time.Time
}

type snapshot struct {
	at   time.Time
	tags map[string]string
}

// delivery is an event on its way into the queue.
type delivery struct {
	at   time.Time
	body string
	res  *resource // nil: of nothing that is to be tagged
	due  string    // of such: the end
	// upsert: it is somebody else's call about a resource that exists. It is made
	// only where the resource has its tags.
	upsert bool
	kills  bool // the function dies of it
}

// closure is a time in which AWS denies, or refuses, calls of a kind.
type closure struct {
	account, region, service string // "": any
	from, to                 time.Time
}

func (c closure) holds(account, region, service string, at time.Time) bool {
	return (c.account == "" || c.account == account) && (c.region == "" || c.region == region) && (c.service == "" || c.service == service) &&
		!at.Before(c.from) && at.Before(c.to)
}

// World is AWS: resources and those who call about them.
type World struct {
	Seed  Seed
	Start time.Time
	// FaultsEnd is when calls stop failing by chance. Before Start: they never do.
	FaultsEnd time.Time
	// Latency is how long each call takes, at least.
	Latency time.Duration
	// Slowness scales the faults that delay a call: on a real clock less than 1.
	Slowness float64
	// Unlimited leaves out the rates of the tagging API and of CloudTrail's history.
	Unlimited bool
	Queue     *Queue

	mu         sync.Mutex
	all        []*resource
	by         map[string]*resource
	deliveries []delivery
	closures   []closure
	barred     map[string]bool // accounts whose role can't be assumed
	trail      []recorded
	seen       map[string]int
	rates      map[string]time.Time
	Counts     map[string]int // of calls, by service and operation; of faults, by "fault: …"
}

// recorded is an event in CloudTrail's history.
type recorded struct {
	account, region, resource string
	id, source, name, record  string
	at                        time.Time
}

// unassumable is an account whose role can't be assumed.
const unassumable = "999900001111"

// Places of the world.
func accounts() []string {
	return []string{"111122223333", "222233334444", "333344445555", "444455556666", unassumable}
}
func regions() []string { return []string{"eu-west-1", "us-east-1"} }
func people() []string {
	return []string{"alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com", "erin@example.com", "frank@example.com", "grace@example.com"}
}

// NewWorld returns a world without resources, whose clock stands at now.
func NewWorld(seed Seed, q *Queue) *World {
	now := time.Now()
	return &World{
		Seed: seed, Start: now, FaultsEnd: now, Slowness: 1, Queue: q, by: map[string]*resource{}, barred: map[string]bool{},
		seen: map[string]int{}, rates: map[string]time.Time{}, Counts: map[string]int{},
	}
}

// maxAge is how long ago a resource was made at most when its event arrives on time.
const onTime = 4 * time.Minute

// Populate plans n creates over all kinds, people, accounts and regions, within a
// time, and what befalls them.
func (w *World) Populate(events fs.FS, n int, within time.Duration) error {
	ks := kinds()
	for i := range n {
		account := accounts()[i%4]
		if w.Seed.draw("barred", i) < 0.005 {
			account = unassumable
		}
		r, err := w.add(events, &ks[i%len(ks)], i, account, pick(w.Seed, regions(), "region", i), pick(w.Seed, people(), "creator", i), time.Duration(w.Seed.draw("made", i)*float64(within)))
		if err != nil {
			return err
		}
		w.befall(r, i)
		if err := w.announce(events, r, i); err != nil {
			return err
		}
	}
	w.barred[unassumable] = true
	w.others(n)
	w.close(within)
	sort.SliceStable(w.deliveries, func(i, j int) bool { return w.deliveries[i].at.Before(w.deliveries[j].at) })
	return nil
}

// Batched are the services that take many resources in a call.
func Batched() []string {
	var names []string
	for _, k := range kinds() {
		if k.batched() {
			names = append(names, k.service)
		}
	}
	return names
}

// Burst plans n creates by so many people in one place, all of a sudden and with nothing
// special about them. Their events arrive a minute later.
func (w *World) Burst(events fs.FS, n, creators int, services ...string) error {
	var ks []kind
	for _, k := range kinds() {
		if slices.Contains(services, k.service) {
			ks = append(ks, k)
		}
	}
	for i := range n {
		r, err := w.add(events, &ks[i%len(ks)], i, accounts()[0], regions()[0], people()[i/len(ks)%creators], 0)
		if err != nil {
			return err
		}
		body, err := r.event(events, r.creator, r.made)
		if err != nil {
			return err
		}
		w.deliveries = append(w.deliveries, delivery{at: r.made.Add(time.Minute), body: body, res: r})
	}
	return nil
}

// add makes a resource after a while.
func (w *World) add(events fs.FS, k *kind, i int, account, region, creator string, after time.Duration) (*resource, error) {
	if k.service == "iam" {
		region = "us-east-1"
	}
	name := fmt.Sprintf("n%06d", i)
	switch {
	case k.prefix != "":
		name = fmt.Sprintf("%s%017x", k.prefix, i)
	case k.service == "kms":
		name = fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)
	}
	r := &resource{kind: k, account: account, region: region, name: name, creator: creator, destiny: plain, made: w.Start.Add(after).Truncate(time.Second), tags: map[string]string{}}
	r.arn = fill(k.arn, account, region, name, "")
	r.visible, r.ready = r.made, r.made
	r.lag = time.Duration(20+w.Seed.draw("lag", i)*100) * time.Second
	w.all, w.by[r.key()] = append(w.all, r), r
	return r, nil
}

// key is how calls name it, as lookup asks.
func (r *resource) key() string {
	switch r.service {
	case "ec2", "elasticfilesystem", "iam":
		return r.service + " " + r.account + " " + r.region + " " + r.name
	}
	return r.arn
}

// befall draws what happens to a resource.
func (w *World) befall(r *resource, i int) {
	draw := w.Seed.draw("destiny", i)
	for _, d := range []struct {
		destiny destiny
		share   float64
	}{{slow, 0.08}, {deleted, 0.02}, {guarded, 0.01}, {cursed, 0.01}, {stuck, 0.005}, {full, 0.01}, {claimed, 0.05}, {adopted, 0.02}} {
		if draw -= d.share; draw < 0 {
			r.destiny = d.destiny
			break
		}
	}
	some := func(of time.Duration, word string) time.Duration {
		return time.Duration(w.Seed.draw(word, i) * float64(of))
	}
	switch r.destiny {
	case slow:
		r.visible = r.made.Add(some(20*time.Minute, "visible"))
		r.ready = r.visible.Add(some(3*time.Hour, "ready"))
	case stuck:
		r.ready = r.made.Add(48 * time.Hour)
	case deleted:
		r.gone = r.made.Add(some(3*time.Minute, "gone"))
	case full:
		for n := range 50 {
			r.tags[fmt.Sprintf("k%02d", n)] = "v"
		}
	case claimed:
		if r.kind.tags == nil {
			r.destiny = plain
			break
		}
		r.tags["creator"] = claimant
	case adopted:
		r.tags["creator"] = "adopter"
	}
	if w.Seed.draw("foreign", i) < 0.15 && r.destiny != full {
		r.tags["team"] = "red"
	}
	r.foreign = maps.Clone(r.tags)
	if len(r.tags) > 0 {
		r.history = append(r.history, snapshot{r.made, maps.Clone(r.tags)})
	}
}

// event is the event of a call about a resource.
func (r *resource) event(events fs.FS, who string, at time.Time) (string, error) {
	e := sample.Read(events, r.sample).Place(r.account, r.region).At(at).By(sample.Person(r.account, who)).Untag()
	for path, value := range r.values {
		e.Set(path, fill(value, r.account, r.region, r.name, r.arn))
	}
	if r.destiny == claimed {
		e.Set("requestParameters.tags", r.kind.tags)
	}
	data, err := e.JSON()
	return string(data), err
}

// announce puts the events of a resource on their way.
func (w *World) announce(events fs.FS, r *resource, i int) error {
	body, err := r.event(events, r.creator, r.made)
	if err != nil {
		return err
	}
	w.record(r, body, r.made)
	at := r.made.Add(time.Minute + time.Duration(w.Seed.draw("delay", i)*float64(onTime-time.Minute)))
	switch {
	case r.destiny == adopted:
		at = r.made.Add(8 * time.Minute)
	case w.Seed.draw("late", i) < 0.01:
		at = r.made.Add(40 * time.Minute)
	}
	w.deliveries = append(w.deliveries, delivery{at: at, body: body, res: r})
	if w.Seed.draw("twice", i) < 0.02 {
		w.deliveries = append(w.deliveries, delivery{at: at.Add(time.Duration(w.Seed.draw("again", i) * float64(30*time.Minute))), body: body, res: r})
	}
	if r.upsert && w.Seed.draw("upsert", i) < 0.05 && (r.destiny == plain || r.destiny == slow) {
		made := r.made.Add(2 * time.Hour)
		if body, err = r.event(events, "mallory@example.com", made); err != nil {
			return err
		}
		w.deliveries = append(w.deliveries, delivery{at: made.Add(time.Minute), body: body, res: r, upsert: true})
	}
	return nil
}

// record keeps an event in CloudTrail's history, and the deletion of what is deleted.
func (w *World) record(r *resource, body string, at time.Time) {
	var e struct {
		Detail json.RawMessage
	}
	var d struct{ EventID, EventSource, EventName string }
	if json.Unmarshal([]byte(body), &e) != nil || json.Unmarshal(e.Detail, &d) != nil {
		return
	}
	made := recorded{r.account, r.region, r.arn[strings.LastIndexAny(r.arn, ":/")+1:], d.EventID, d.EventSource, d.EventName, string(e.Detail), at}
	w.trail = append(w.trail, made)
	if !r.gone.IsZero() {
		verb := strings.IndexFunc(made.name[1:], unicode.IsUpper) + 1
		name := "Delete" + made.name[verb:]
		made.record = strings.Replace(made.record, `"`+made.name+`"`, `"`+name+`"`, 1)
		made.id, made.name, made.at = "deleted "+made.id, name, r.gone
		w.trail = append(w.trail, made)
	}
}

// others are messages about nothing that is to be tagged: one in fifty.
func (w *World) others(n int) {
	for i := range n / 50 {
		d := delivery{at: w.Start.Add(time.Duration(i) * 20 * time.Second)}
		switch i % 3 {
		case 0:
			d.body, d.due = fmt.Sprintf("no event %d", i), "dead-letter"
		case 1:
			d.body, d.due = fmt.Sprintf(`{"detail-type":"Scheduled Event","source":"aws.events","id":"%d","detail":{}}`, i), "done"
		case 2:
			if d.body, d.due = w.deliveries[i].body, "done"; w.deliveries[i].res.service == "dynamodb" {
				d.body = strings.Replace(d.body, "CreateTable", "DeleteTable", 1)
			} else {
				d.body = strings.Replace(d.body, `"eventID": "`, `"errorCode": "AccessDenied", "eventID": "x`, 1)
			}
		}
		w.deliveries = append(w.deliveries, d)
	}
	for i := range n / 5000 {
		w.deliveries = append(w.deliveries, delivery{at: w.Start.Add(time.Duration(10+i) * time.Minute), body: fmt.Sprintf("deadly %d", i), due: "redriven", kills: true})
	}
}

// close draws the times in which AWS denies: a service, an account, a region's
// tagging API. All are shorter than the time after which a denial is tried again.
func (w *World) close(within time.Duration) {
	at := func(word string) time.Time {
		return w.Start.Add(time.Duration(w.Seed.draw("closed", word) * float64(within))).Truncate(time.Second)
	}
	for _, c := range []closure{
		{account: accounts()[0], service: "dynamodb", from: at("dynamodb")},
		{account: accounts()[1], service: "tagging", region: "eu-west-1", from: at("tagging")},
		{account: accounts()[2], service: "sts", from: at("sts")},
		{service: "ec2", region: "us-east-1", from: at("ec2")},
		{service: "s3", account: accounts()[3], from: at("s3")},
	} {
		c.to = c.from.Add(9 * time.Minute)
		w.closures = append(w.closures, c)
	}
}

// Deliver puts the events into the queue in their time, and returns when the last is
// in.
func (w *World) Deliver() {
	for _, d := range w.deliveries {
		time.Sleep(time.Until(d.at))
		if d.upsert {
			w.mu.Lock()
			tagged := d.res.tags["creator"] != ""
			if tagged {
				w.record(d.res, d.body, d.at.Add(-time.Minute))
			}
			w.mu.Unlock()
			if !tagged {
				continue
			}
		}
		w.Queue.put(d)
	}
}
