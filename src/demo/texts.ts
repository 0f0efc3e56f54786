/** Short texts on everyday subjects. Their words are chosen so that the searches of the demo share none with the text they find. */
export const TEXTS: Record<string, string> = {
  'garden/self-watering-pots.md': `# Self-watering pots

A reservoir under the soil gives basil, tomatoes and ferns moisture for up to three weeks. Fill it before you leave
and nothing wilts, even in a hot July.`,
  'garden/compost.md': `# Compost

Layer kitchen scraps with dry leaves, turn the heap every second week and keep it as damp as a wrung-out sponge.
After half a year it smells of forest floor and is ready for the beds.`,
  'kitchen/omelette.md': `# Omelette with herbs

Whisk three eggs with a pinch of salt, melt butter in a pan, pour, wait ninety seconds, fold. On the plate five
minutes after you opened the fridge.`,
  'kitchen/sourdough.md': `# Sourdough bread

Feed the starter in the evening, knead in the morning, let the dough rise until noon and bake it in a hot iron pot.
The crust crackles when the loaf cools.`,
  'travel/night-train.md': `# By night train to the sea

You board in the city after dinner, sleep in a bunk while the mountains pass, and wake up to gulls and salt air.
Bring earplugs and a warm jumper.`,
  'travel/lost-luggage.md': `# When your suitcase does not arrive

Report it at the airport desk before you leave the hall, keep the receipt of the tag, and buy what you need for the
first night: the airline refunds reasonable purchases.`,
  'science/tides.md': `# Why the sea rises twice a day

The pull of the moon stretches the oceans into two bulges, one facing it and one on the far side. As the Earth turns
beneath them, a coast meets high water about every twelve hours and twenty-five minutes.`,
  'science/vaccines.md': `# How vaccines work

A harmless piece of a germ shows the immune system what to look for. When the real intruder comes, the body already
has the right antibodies and strikes before the person falls ill.`,
  'home/bicycle-puncture.md': `# Mending a flat tyre

Lift the tyre off the rim with two levers, find the hole by holding the tube under water, roughen the rubber, glue,
wait five minutes and press the patch on.`,
  'home/better-sleep.md': `# Resting well

Keep the bedroom cool and dark, put the phone in another room, and get up at the same hour every day. After two weeks
most people doze off within minutes.`,
  'records/machines.json': JSON.stringify(
    [
      {
        machine: 'espresso maker',
        symptom: 'water runs out cold',
        remedy: 'descale the boiler and replace the thermostat',
      },
      {
        machine: 'dishwasher',
        symptom: 'puddle under the door',
        remedy: 'clean the lower seal and level the feet',
      },
    ],
    null,
    2,
  ),
}

/** Pages of the demo's PDF. */
export const PDF_PAGES: string[][] = [
  [
    'Passenger rights on railways',
    'If you arrive at your destination sixty minutes or more behind the timetable,',
    'the company pays back a quarter of the ticket price. From two hours on it is half.',
    'Hand in the form within three months, at any station or online.',
  ],
  [
    'Travelling with animals',
    'Small dogs and cats in a carrier ride free. Larger dogs need a child ticket,',
    'a lead and a muzzle. Guide dogs are always welcome.',
  ],
]

export type DemoSearch = { title: string; note: string } & ({ query: string } | { picture: string })

export const SEARCHES: DemoSearch[] = [
  {
    title: '"how do my plants survive my holiday"',
    query: 'how do my plants survive my holiday',
    note: 'finds the pots with a reservoir, which name neither plants nor holidays',
  },
  {
    title: '"something quick to eat"',
    query: 'something quick to eat',
    note: 'finds the omelette: five minutes, no word shared',
  },
  {
    title: '"compensation because my journey was delayed"',
    query: 'compensation because my journey was delayed',
    note: 'finds a page of the PDF about passenger rights',
  },
  {
    title: 'pictures like sunset-1.png',
    picture: 'pictures/sunset-1.png',
    note: 'finds the other sunset before forest, sea and night',
  },
]
