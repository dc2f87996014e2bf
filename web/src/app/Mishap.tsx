import { Component, type ReactNode } from 'react'
import { messageOf } from '@/api/error'
import { ofTab } from '@/lib/storage'
import { Button } from '@/ui/Button'
import { Note } from '@/ui/State'

// A part of the dashboard that this tab does not have is gone when the server was renewed meanwhile: then the page is loaded again.
const RELOADED = 'posthorn.reloaded'
const ONCE_MS = 10_000

addEventListener('vite:preloadError', event => {
  if (Date.now() - Number(ofTab.get(RELOADED)) < ONCE_MS) return
  ofTab.set(RELOADED, String(Date.now()))
  event.preventDefault()
  location.reload()
})

// An error of ours: says so instead of leaving the page empty.
export class Mishap extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {}

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    if (this.state.error === undefined) return this.props.children
    return (
      <div className="page">
        <h1>This page does not work</h1>
        <Note tone="bad">
          <span>{messageOf(this.state.error)}</span>
          <Button onPress={() => location.reload()}>Load it again</Button>
        </Note>
      </div>
    )
  }
}
