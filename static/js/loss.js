// The loss curve of a training, drawn again whenever its figures change.
import uPlot from '../vendor/uplot-1.6.32/uPlot.esm.js';
import { t } from './words.js';

const drawn = new WeakMap();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw(el) {
  const losses = JSON.parse(el.dataset.losses);
  drawn.get(el)?.destroy();
  const passes = Math.max(Number(el.dataset.passes), losses.length);
  const axis = { stroke: colour('--ink2'), grid: { stroke: colour('--line2'), width: 1 }, ticks: { show: false }, font: '13px sans-serif' };
  drawn.set(el, new uPlot({
    width: el.clientWidth || 420,
    height: 180,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [1, Math.max(passes, 2)] }, y: { range: (u, low, high) => [0, high * 1.08 || 1] } },
    axes: [{ ...axis, label: t('js.pass'), labelSize: 20, size: 28 }, { ...axis, size: 48 }],
    series: [{ label: t('js.pass') }, { label: t('js.loss'), stroke: colour('--ink'), width: 2, points: { show: losses.length < 2 } }],
  }, [losses.map((_, i) => i + 1), losses], el));
}

const drawAll = () => document.querySelectorAll('.loss[data-losses]').forEach(draw);
document.addEventListener('htmx:afterSwap', drawAll);
window.addEventListener('resize', drawAll);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
drawAll();
