// The three measured routes on net/http and pgx, which reads PGHOST, PGPORT, PGUSER and PGDATABASE.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

type project struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description *string   `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type document struct {
	ID           string          `json:"id"`
	ProjectDocID string          `json:"project_doc_id"`
	FilePath     string          `json:"file_path"`
	FileType     string          `json:"file_type"`
	FileSize     int64           `json:"file_size"`
	Content      string          `json:"content"`
	DocMetadata  json.RawMessage `json:"doc_metadata"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
}

type server struct {
	pool *pgxpool.Pool
}

func (s *server) getHealth(w http.ResponseWriter, r *http.Request) {
	var applied int64
	query := "select count(*) from _yoyo_migration"
	if err := s.pool.QueryRow(r.Context(), query).Scan(&applied); err != nil {
		fail(w, err)
		return
	}
	respond(w, struct {
		Status    string    `json:"status"`
		Database  string    `json:"database"`
		Timestamp time.Time `json:"timestamp"`
	}{"ok", "connected", time.Now().UTC()})
}

func (s *server) listProjects(w http.ResponseWriter, r *http.Request) {
	rows, err := s.pool.Query(r.Context(), `
		select id::text, name, description, created_at, updated_at
		from project
		order by created_at desc, id desc
		limit 1000
	`)
	if err != nil {
		fail(w, err)
		return
	}
	defer rows.Close()
	projects := []project{}
	for rows.Next() {
		var p project
		err := rows.Scan(&p.ID, &p.Name, &p.Description, &p.CreatedAt, &p.UpdatedAt)
		if err != nil {
			fail(w, err)
			return
		}
		p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
		projects = append(projects, p)
	}
	if err := rows.Err(); err != nil {
		fail(w, err)
		return
	}
	respond(w, projects)
}

func (s *server) getDocument(w http.ResponseWriter, r *http.Request) {
	var d document
	err := s.pool.QueryRow(r.Context(), `
		select id::text, project_doc_id::text, file_path, file_type, file_size, content,
		       doc_metadata, created_at, updated_at
		from document
		where id = $1
	`, strings.TrimPrefix(r.URL.Path, "/api/documents/")).Scan(
		&d.ID, &d.ProjectDocID, &d.FilePath, &d.FileType, &d.FileSize, &d.Content,
		&d.DocMetadata, &d.CreatedAt, &d.UpdatedAt,
	)
	if errors.Is(err, pgx.ErrNoRows) {
		http.Error(w, "There is no such document.", http.StatusNotFound)
		return
	}
	if err != nil {
		fail(w, err)
		return
	}
	d.CreatedAt, d.UpdatedAt = d.CreatedAt.UTC(), d.UpdatedAt.UTC()
	respond(w, d)
}

func respond(w http.ResponseWriter, value interface{}) {
	body, err := json.Marshal(value)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Without it, net/http sends a body of more than 2 KB in chunks.
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if _, err := w.Write(body); err != nil {
		log.Print(err)
	}
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "The service cannot respond now.", http.StatusServiceUnavailable)
}

func main() {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 10
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{pool: pool}
	http.HandleFunc("/api/health", s.getHealth)
	http.HandleFunc("/api/projects", s.listProjects)
	http.HandleFunc("/api/documents/", s.getDocument)
	address := net.JoinHostPort(os.Getenv("BACKEND_HOST"), os.Getenv("BACKEND_PORT"))
	log.Fatal(http.ListenAndServe(address, nil))
}
