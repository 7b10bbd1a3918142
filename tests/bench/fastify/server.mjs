// The three measured routes on Fastify and postgres.js, which reads PGHOST, PGPORT, PGUSER and PGDATABASE.
import Fastify from 'fastify'
import postgres from 'postgres'

const sql = postgres({
  max: 10,
  // By default up to 100 queries wait on one connection, and postgres.js gets slower with each load.
  max_pipeline: 1,
  connection: { TimeZone: 'UTC' },
  // By default a time becomes a Date, which has milliseconds; the other contenders have microseconds.
  types: {
    time: { to: 1184, from: [1184], serialize: String, parse: text => `${text.replace(' ', 'T')}:00` },
  },
})

const text = { type: 'string' }
const project = {
  type: 'object',
  properties: {
    id: text,
    name: text,
    description: { type: 'string', nullable: true },
    created_at: text,
    updated_at: text,
  },
}
const document = {
  type: 'object',
  properties: {
    id: text,
    project_doc_id: text,
    file_path: text,
    file_type: text,
    file_size: { type: 'integer' },
    content: text,
    doc_metadata: { type: 'object', additionalProperties: true },
    created_at: text,
    updated_at: text,
  },
}
const health = {
  type: 'object',
  properties: { status: text, database: text, timestamp: text },
}

const app = Fastify()

app.get('/api/health', { schema: { response: { 200: health } } }, async () => {
  await sql`select count(*) from _yoyo_migration`
  return { status: 'ok', database: 'connected', timestamp: new Date().toISOString() }
})

app.get('/api/projects', { schema: { response: { 200: { type: 'array', items: project } } } }, () => sql`
  select id, name, description, created_at, updated_at
  from project
  order by created_at desc, id desc
  limit 1000
`)

app.get('/api/documents/:id', { schema: { response: { 200: document } } }, async (request, reply) => {
  const [found] = await sql`
    select id, project_doc_id, file_path, file_type, file_size, content, doc_metadata,
           created_at, updated_at
    from document
    where id = ${request.params.id}
  `
  return found ?? reply.code(404).send({ detail: 'There is no such document.' })
})

await app.listen({ host: process.env.BACKEND_HOST, port: Number(process.env.BACKEND_PORT) })
