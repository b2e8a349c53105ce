package apply

// Kinesis Video Streams has a pair of calls for streams and one for signaling
// channels, and each refuses the other's ARNs
// (https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_TagResource.html,
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_TagStream.html).
const (
	videoService = `client: kinesisvideo
id: Kinesis Video
protocol: rest-json
`
	videoStreamCalls = videoService + `write: TagStream POST /tagStream StreamARN={arn} Tags={map}
read: ListTagsForStream POST /listTagsForStream StreamARN={arn} NextToken={next} -> Tags={map} NextToken={next}`

	videoChannelCalls = videoService + `write: TagResource POST /TagResource ResourceARN={arn} Tags=[Key,Value]
read: ListTagsForResource POST /ListTagsForResource ResourceARN={arn} NextToken={next} -> Tags={map} NextToken={next}`
)
