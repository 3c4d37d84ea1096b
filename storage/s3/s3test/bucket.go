package s3test

import (
	"io"
	"maps"

	"github.com/minio/crc64nvme"
)

// Objects returns what is there, by key.
func (s *Server) Objects() map[string]*Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

// Uploads returns how many multipart uploads there are.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Parts returns how many parts there are, of all multipart uploads.
func (s *Server) Parts() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, up := range s.uploads {
		n += len(up.parts)
	}
	return n
}

// SpoilParts flips a bit of each part, whose sum and ETag stay.
func (s *Server) SpoilParts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, up := range s.uploads {
		for _, o := range up.parts {
			o.Data[0] ^= 1
		}
	}
}

// Spoil flips a bit at the end of an object, whose sum and ETag stay.
func (s *Server) Spoil(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := s.objects[key].Data
	data[len(data)-1] ^= 1
}

// Touch gives an object another ETag, as one who replaces it would.
func (s *Server) Touch(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key].ETag += "-touched"
}

// SetSum gives an object the sum of other data.
func (s *Server) SetSum(key, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := crc64nvme.New()
	io.WriteString(h, data)
	s.objects[key].Sum = h.Sum64()
}

// Reads returns how often an object was read.
func (s *Server) Reads(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[key]
}

// ForgetEmpty removes multipart uploads that have no parts.
func (s *Server) ForgetEmpty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.uploads, func(_ string, up *upload) bool { return len(up.parts) == 0 })
}

// PartsOf returns what the parts of a multipart upload hold, up to the first gap.
func (s *Server) PartsOf(upload string) (data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.uploads[upload]
	for n := 1; up != nil && up.parts[n] != nil; n++ {
		data = append(data, up.parts[n].Data...)
	}
	return data
}

// Put stores an object, as somebody else.
func (s *Server) Put(key, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := crc64nvme.New()
	io.WriteString(h, data)
	s.objects[key] = s.object([]byte(data), h.Sum64(), int64(len(data)), nil)
}

// Delete removes an object, as somebody else.
func (s *Server) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
}
