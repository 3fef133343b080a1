// Steps through a page with a counterexample: node ci/page.cjs CHROMIUM PAGE FOLDER
const assert = require('node:assert');
const path = require('node:path');
const { chromium } = require('playwright-core');

const [executablePath, file, folder] = process.argv.slice(2);
const address = `file://${file}`, name = path.basename(file, '.html');
const LIMIT = 10_000;

async function opened(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  page.on('console', (message) => { throw new Error(message.text()); });
  page.on('pageerror', (error) => { throw error; });
  page.on('request', (request) => assert.equal(request.url(), address));
  await page.goto(address);
  return page;
}

async function readable(browser, width, colorScheme) {
  const page = await opened(browser, { viewport: { width, height: 900 }, colorScheme });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${width} pixels: the page is ${wide} wide`);
  await page.screenshot({ path: path.join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  await page.context().close();
}

async function keys(browser) {
  const page = await opened(browser, { viewport: { width: 1400, height: 900 }, reducedMotion: 'reduce' });
  const slider = page.getByRole('slider', { name: 'Step' });
  const at = async () => Number(await slider.inputValue());
  const live = () => page.locator('[aria-live]').textContent();
  const last = Number(await slider.getAttribute('max'));
  const press = async (key, expected) => {
    await page.keyboard.press(key);
    assert.equal(await at(), expected, key);
  };
  const data = JSON.parse(await page.locator('#data').textContent());
  const found = data.outcomes.map((outcome) => outcome.counterexample).find(Boolean);
  const fault = found.steps.findLastIndex((step) => step.fault) + 1;
  assert.equal(await at(), found.overlap === undefined ? fault || found.steps.length : found.overlap + 1);
  await press('Home', 0);
  assert.equal(await live(), 'Before the first step.');
  await press('ArrowLeft', 0);
  await press('ArrowRight', 1);
  assert.ok((await live()).startsWith(found.steps[0].who), await live());
  await press('ArrowRight', 2);
  await press('ArrowLeft', 1);
  await press('End', last);
  await press('ArrowRight', last);
  // It plays from the beginning, and stops where it is.
  await page.keyboard.press('Space');
  assert.equal(await at(), 0);
  await page.waitForFunction(() => Number(document.querySelector('.stepper [type=range]').value) >= 1);
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  // Everything can be reached and seen by the keyboard alone.
  const reached = new Set();
  for (let tabs = 0; tabs < 40; tabs++) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const element = document.activeElement, style = getComputedStyle(element);
      return { name: element.getAttribute('aria-label'), outline: parseFloat(style.outlineWidth), style: style.outlineStyle };
    });
    if (focus.name) {
      assert.ok(focus.outline >= 2 && focus.style !== 'none', `${focus.name} has no visible focus`);
      reached.add(focus.name);
    }
  }
  for (const one of ['First step', 'Back', 'Play', 'Forward', 'Last step', 'Step']) assert.ok(reached.has(one), `${one} is not reached`);
  // The slider has keys of its own.
  await slider.focus();
  await press('Home', 0);
  await press('ArrowRight', 1);
  // With the focus elsewhere, keys keep their meaning.
  await page.locator('tr.open').first().focus();
  await press('ArrowRight', 1);
  await page.locator('.walk li').nth(2).click();
  assert.equal(await at(), 3);
  const moves = await page.evaluate(() => [...document.querySelectorAll('.stepper *')].filter((element) => parseFloat(getComputedStyle(element).transitionDuration) > 0).length);
  assert.equal(moves, 0, 'something moves');
  await page.context().close();
  return found;
}

async function withoutScripts(browser, found) {
  const page = await opened(browser, { viewport: { width: 400, height: 900 }, javaScriptEnabled: false });
  const list = page.locator('#plain ol').first();
  assert.equal(await list.locator('li').count(), found.steps.length);
  assert.ok(await list.isVisible());
  await page.screenshot({ path: path.join(folder, `${name}-plain.png`), fullPage: true });
  await page.context().close();
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    for (const width of [400, 1400]) for (const scheme of ['light', 'dark']) await readable(browser, width, scheme);
    const found = await keys(browser);
    await withoutScripts(browser, found);
    console.log(`${file}: ${found.steps.length} steps, all checks passed`);
  } finally {
    await browser.close();
  }
})().catch((error) => { console.error(error); process.exit(1); });
