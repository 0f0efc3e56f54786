// The ceiling of every HTTP figure: Fastify with nothing behind it. Runs as a process of its own.
import Fastify from 'fastify'

const app = Fastify({ bodyLimit: 10 * 1024 * 1024 })
const answer = { ok: true }
app.get('/', async () => answer)
app.post('/', async () => answer)
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
