import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

export type TcpProxy = {
  port: number
  /** Breaks every connection once the server has sent this much more over it; null passes everything. */
  cut_after_bytes: number | null
  close(): Promise<void>
}

/** Stands between a client and a server of 127.0.0.1, whatever they speak, and breaks what it is told to break. */
export async function startTcpProxy(target_port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target_port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (proxy.cut_after_bytes === null) return void client.write(chunk)
      client.write(chunk.subarray(0, proxy.cut_after_bytes))
      proxy.cut_after_bytes = Math.max(0, proxy.cut_after_bytes - chunk.byteLength)
      if (proxy.cut_after_bytes === 0) setTimeout(() => client.destroy(), 10)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    cut_after_bytes: null,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return proxy
}
