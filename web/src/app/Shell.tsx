import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { useAccess } from '@/api/access'
import { credential } from '@/api/credential'
import { useTenant } from '@/api/queries'
import { Button, IconButton } from '@/ui/Button'
import { Icon, type IconName } from '@/ui/Icon'
import { Logo } from '@/ui/Logo'
import { Badge } from '@/ui/State'
import { setTheme, theme } from './theme'

const Palette = lazy(() => import('./Palette'))

const PLACES: [text: string, href: string, icon: IconName][] = [
  ['Overview', '/', 'home'],
  ['Applications', '/app', 'apps'],
  ['Event types', '/event-type', 'tag'],
  ['Live', '/tail', 'live'],
  ['Background tasks', '/task', 'tasks'],
  ['Settings', '/settings', 'settings'],
]

function isWithin(location: string, href: string) {
  return href === '/' ? location === '/' : location === href || location.startsWith(href + '/')
}

export function Shell({ children }: { children: ReactNode }) {
  const [location] = useLocation()
  const [menuOpen, setMenuOpen] = useState(false)
  const [paletteOpen, setPaletteOpen] = useState(false)
  const tenant = useTenant()
  const { isReadOnly } = useAccess()

  useEffect(() => setMenuOpen(false), [location])
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        setPaletteOpen(open => !open)
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  return (
    <div className="shell">
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <header className="bar">
        <IconButton label={menuOpen ? 'Close the menu' : 'Open the menu'} aria-expanded={menuOpen} onPress={() => setMenuOpen(!menuOpen)}>
          <Icon name={menuOpen ? 'close' : 'menu'} />
        </IconButton>
        <Link href="/" aria-label="Posthorn">
          <Logo />
        </Link>
        <IconButton label="Search and commands" onPress={() => setPaletteOpen(true)}>
          <Icon name="search" />
        </IconButton>
      </header>
      <aside className={menuOpen ? 'side open' : 'side'}>
        <Link href="/" className="side-logo" aria-label="Posthorn">
          <Logo />
        </Link>
        <p className="tenant">
          <span title="Tenant">{tenant.data?.name ?? ' '}</span> {isReadOnly && <Badge tone="quiet">Read only</Badge>}
        </p>
        <button type="button" className="palette-opener" onClick={() => setPaletteOpen(true)}>
          <Icon name="search" />
          Go to… <kbd>Ctrl K</kbd>
        </button>
        <nav aria-label="Main">
          {PLACES.map(([text, href, icon]) => (
            <Link key={href} href={href} className="place" aria-current={isWithin(location, href) ? 'page' : undefined}>
              <Icon name={icon} />
              {text}
            </Link>
          ))}
        </nav>
        <div className="side-foot">
          <a href="/docs" className="place">
            <Icon name="book" />
            API documentation
          </a>
          <ThemeButton />
          <Button look="quiet" onPress={() => credential.forget()}>
            <Icon name="leave" />
            Sign out
          </Button>
        </div>
      </aside>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      {paletteOpen && (
        <Suspense>
          <Palette onClose={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </div>
  )
}

function ThemeButton() {
  const [current, setCurrent] = useState(theme)
  const next = current === 'dark' ? 'light' : 'dark'
  return (
    <Button
      look="quiet"
      onPress={() => {
        setTheme(next)
        setCurrent(next)
      }}
    >
      <Icon name={next} />
      {next === 'dark' ? 'Dark' : 'Light'} theme
    </Button>
  )
}
