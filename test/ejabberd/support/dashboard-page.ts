/** The dashboard in a browser, watched: errors, breaches of its policy, whatever it asks elsewhere, and a token in an address. */

import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { PATIENCE_MS } from '../../../scripts/support/within.js';

export class DashboardPage {
  readonly page: Page;
  /** What must not happen. */
  readonly wrong: string[] = [];
  /** The addresses of all that it asked for. */
  readonly asked: string[] = [];

  private constructor(page: Page, site: string) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => this.wrong.push(error.message));
    // A breach of the policy is one of these.
    page.on('console', (line) => line.type() === 'error' && this.wrong.push(line.text()));
    page.on('request', (request) => {
      this.asked.push(request.url());
      if (!request.url().startsWith(site)) this.wrong.push(`asks ${request.url()}`);
    });
  }

  static async open(
    browser: Browser,
    port: number,
    options: BrowserContextOptions = {},
    path = '',
  ): Promise<DashboardPage> {
    const site = `http://localhost:${port}/`;
    const page = new DashboardPage(await browser.newPage(options), site);
    await page.page.goto(`${site}${path}`);
    return page;
  }

  /** Waits until something there has this text. */
  async shows(selector: string, text: string | RegExp): Promise<Locator> {
    const shown = this.page.locator(selector).filter({ hasText: text }).first();
    await shown.waitFor();
    return shown;
  }

  /** The first figure of a plot's card. */
  async figure(title: string): Promise<string> {
    const card = this.page.locator('.plot', { has: this.page.getByRole('heading', { name: title }) });
    return (await card.locator('b').first().textContent()) ?? '';
  }

  async giveToken(token: string): Promise<void> {
    await this.page.getByLabel('Token', { exact: true }).last().fill(token);
    await this.page.getByRole('button', { name: 'Use it' }).click();
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
