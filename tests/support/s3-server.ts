import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { answersHttp, findProgram, freePort, type ServerProcess, startServer } from './server-process.ts'

const PROGRAM = findProgram('versitygw', 'KURA_TEST_S3_SERVER')

/** The value of `skip` for tests that need an S3 server: false where there is one, else the reason. */
export const S3_SERVER_MISSING: string | false = PROGRAM
  ? false
  : 'needs the S3 server versitygw: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, then put it on PATH or name it in KURA_TEST_S3_SERVER'

export type S3Server = {
  /** `http://127.0.0.1:<port>`; buckets are addressed by path. */
  endpoint: string
  region: string
  access_key_id: string
  secret_access_key: string
  /** The folder in which each bucket is a folder and each object a file. */
  folder: string
  /** A client of its own, for what the code under test should not do itself. */
  client: S3Client
  createBucket(name: string): Promise<void>
  /** Ends the server and keeps its folder: a store that is down. */
  pause(): Promise<void>
  /** Starts it again on the same port. */
  resume(): Promise<void>
  /** Ends the server and removes its folder. */
  stop(): Promise<void>
}

/** Starts a real S3 server (versitygw on a temporary folder). Call only where S3_SERVER_MISSING is false. */
export async function startS3Server({
  event_webhook_url,
}: {
  /** Where the server tells of changes, as S3 notifications. */
  event_webhook_url?: string
} = {}): Promise<S3Server> {
  if (!PROGRAM) throw new Error(`This test ${S3_SERVER_MISSING}`)
  const folder = await mkdtemp(join(tmpdir(), 'kura-s3-'))
  const [buckets, attributes] = [join(folder, 'buckets'), join(folder, 'attributes')]
  await Promise.all([mkdir(buckets), mkdir(attributes)])
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const account = { access_key_id: 'kura-test', secret_access_key: 'kura-test-secret' }
  const start = () =>
    startServer(
      PROGRAM,
      // Attributes beside the files, as not every temporary folder has extended attributes.
      [
        ...['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet'],
        ...(event_webhook_url ? ['--event-webhook-url', event_webhook_url] : []),
        ...['posix', '--sidecar', attributes, buckets],
      ],
      {
        env: { ROOT_ACCESS_KEY: account.access_key_id, ROOT_SECRET_KEY: account.secret_access_key },
        isReady: () => answersHttp(endpoint),
      },
    )
  let server: ServerProcess = await start()
  const { S3Client, CreateBucketCommand } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: account.access_key_id, secretAccessKey: account.secret_access_key },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  return {
    endpoint,
    region: 'us-east-1',
    ...account,
    folder: buckets,
    client,
    async createBucket(name) {
      await client.send(new CreateBucketCommand({ Bucket: name }))
    },
    pause: () => server.stop(),
    async resume() {
      server = await start()
    },
    async stop() {
      client.destroy()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
