// What happens to messages, as it happens: server-sent events over fetch, since an EventSource cannot sign in.
import { useEffect, useState } from 'react'
import { credential } from './credential'

export interface TailEvent {
  key: number
  type: 'message' | 'attempt' | 'arrival' | 'dropped'
  appId: string
  id: string
  msgId?: string
  endpointId?: string
  eventType?: string
  statusText?: string
  responseStatusCode?: number
  responseDurationMs?: number
  timestamp: string
  count?: number
}

export type TailState = 'connecting' | 'listening' | 'away'

const KEPT = 500
const WAIT_MS = 3000

// The newest first; stands still while paused.
export function useTail(path: string, paused: boolean) {
  const [events, setEvents] = useState<TailEvent[]>([])
  const [state, setState] = useState<TailState>('connecting')

  useEffect(() => {
    if (paused) return
    const stop = new AbortController()
    let last = 0
    const add = (found: Omit<TailEvent, 'key'>[]) =>
      setEvents(before => [...found.map(event => ({ ...event, key: ++last + Date.now() * 1000 })).reverse(), ...before].slice(0, KEPT))
    void follow(path, stop.signal, add, setState)
    return () => stop.abort()
  }, [path, paused])

  return { events, state, clear: () => setEvents([]) }
}

async function follow(
  path: string,
  stop: AbortSignal,
  add: (events: Omit<TailEvent, 'key'>[]) => void,
  setState: (state: TailState) => void,
) {
  while (!stop.aborted) {
    setState('connecting')
    try {
      const response = await fetch(path, { headers: { ...credential.headers(), accept: 'text/event-stream' }, signal: stop })
      if (!response.ok || !response.body) throw new Error(String(response.status))
      setState('listening')
      await read(response.body, add)
    } catch {
      if (stop.aborted) return
    }
    setState('away')
    await new Promise(resolve => setTimeout(resolve, WAIT_MS))
  }
}

async function read(body: ReadableStream<Uint8Array>, add: (events: Omit<TailEvent, 'key'>[]) => void) {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const { events, left } = parse(rest + value)
    rest = left
    if (events.length > 0) add(events as Omit<TailEvent, 'key'>[])
  }
}

// The complete events of a text, and what is left of it.
export function parse(text: string): { events: unknown[]; left: string } {
  const blocks = text.split('\n\n')
  const left = blocks.pop() ?? ''
  const events = blocks.flatMap(block => {
    const data = block
      .split('\n')
      .filter(line => line.startsWith('data:'))
      .map(line => line.slice(5).trimStart())
      .join('\n')
    return data ? [JSON.parse(data) as unknown] : []
  })
  return { events, left }
}
