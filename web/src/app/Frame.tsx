// What stands around the pages of the dashboard and of the operator: a bar at the side, behind a button on a narrow screen.
import { useEffect, useState, type ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { Button, IconButton } from '@/ui/Button'
import { Icon, type IconName } from '@/ui/Icon'
import { Logo } from '@/ui/Logo'
import { useThemeToggle } from './ThemeToggle'

export type Place = [text: string, href: string, icon: IconName]

interface FrameProps {
  places: Place[]
  who: ReactNode // whose pages these are
  above?: ReactNode // the places
  barAction?: ReactNode // at the end of a narrow screen's bar
  foot?: ReactNode
  onSignOut: () => void
  children: ReactNode
}

function isWithin(location: string, href: string) {
  return href === '/' ? location === '/' : location === href || location.startsWith(href + '/')
}

export function Frame({ places, who, above, barAction, foot, onSignOut, children }: FrameProps) {
  const [location] = useLocation()
  const [menuOpen, setMenuOpen] = useState(false)
  const { next, label, toggle } = useThemeToggle()

  useEffect(() => setMenuOpen(false), [location])

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
        {barAction ?? <span />}
      </header>
      <aside className={menuOpen ? 'side open' : 'side'}>
        <Link href="/" className="side-logo" aria-label="Posthorn">
          <Logo />
        </Link>
        {who}
        {above}
        <nav aria-label="Main">
          {places.map(([text, href, icon]) => (
            <Link key={href} href={href} className="place" aria-current={isWithin(location, href) ? 'page' : undefined}>
              <Icon name={icon} />
              {text}
            </Link>
          ))}
        </nav>
        <div className="side-foot">
          {foot}
          <a href="/docs" className="place">
            <Icon name="book" />
            API documentation
          </a>
          <Button look="quiet" onPress={toggle}>
            <Icon name={next} />
            {label}
          </Button>
          <Button look="quiet" onPress={onSignOut}>
            <Icon name="leave" />
            Sign out
          </Button>
        </div>
      </aside>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}
