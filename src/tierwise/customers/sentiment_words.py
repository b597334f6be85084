"""Russian words that sound good or bad, for the rules of `sentiment_rules`. Written by hand.

A word is the beginning of all its forms: "ужас" stands for ужасно, ужасный, ужаснее. With a dot
at the end it stands for itself alone ("рад."), since "радио" is no joy. The longest one that fits
counts. How strongly: -3 to 3, the scale of a person who reads one message, not of a survey.
"""

BAD_WORDS = {
    -3: """
        ужас кошмар отврат омерз мерзк мерзо ненави дерьм говн хрен. хреново мраз сволоч урод твар
        подонк мошенник мошенни афер обман обману обманыв лохотрон развод. разводил разводят
        кидал. кидалово ворь. ворую ворье воров. грабеж грабит хамств хамит хамят хамл хамск нахам
        нахаль издева оскорб униз унижа бешен бесит бесят бесил взбе выбесил катастроф позор
        позорн худш возмут возмущ отстой отстойн мразь трэш. треш. жесть. жуть. жутк гадост гадк
        дрянь дрян паршив омерзит тошнот тошно. тошнит отрав травану лжец лгун враль врут. врет.
        врете. вранье ложь. лжи. солга соврал наврал безобраз беспредел наглост нагл. наглый
        наглые нагло. хамло быдл идиот дебил тупиц тупые. бездар разгильдя преступ
    """,
    -2: """
        плох хуже. плохо. хреноват разочаров недовол жалоб жалую пожалова претенз проблем слома
        полома сломан поломан брак. брака. браком. бракован дефект испорч испорти порван рван.
        разбит разби битый. битые. битая. треснут треснул трещин развалил развалив отвалил отвалив
        поцарап царапин грязн грязь. грязи. вонь. вони. воня вонюч плесен тараканы клоп клоповн
        протек протекает подтека течет. сбой. сбои. сбоит глюч глюк баг. баги. багован лаг. лаги.
        лагает тормоз тормози завис зависа виснет. висит. вылета вылетел вылетело ошиб неверн
        неправильн некоррект перепут потерял потеря. потеряли. потеряна утеря опозда опаздыва
        задерж просроч проср тянете. затяну невозможн недопуст неприемл бесполезн бессмысл
        безнадеж напрасн зря. впуст некачеств недоброс неуваж груб грубит грубо. грубы. грубый.
        грубая. груби агресс злит. злюсь. злой. злая. зол. зла. разозл раздраж нервотр нервир
        достал. достали. достало. достала. надоел заебал задолбал замуч измуч мучен мучаюсь
        мучаемся устал. устала. устали. обид обидн оби. жаль. жалею. пожалел. пожалела. стыд.
        стыдно. стыдоб неудоб невкусн неприятн неприятел несвеж тухл протух просроченн испорчен
        горел. горелая. пригорел подгорел сырой. холодн. безвкус мерзавц халтур барахл хлам.
        мусор. ерунд чушь. бред. бредов фигня. фигн хрень лажа. лажов шарашк отписк отмаз отговор
        игнор безразлич равнодуш наплев плевать. плевали. безответств бардак хаос. хаос неразбер
        навяз навязыва спам. спамит спамят надувательств обсчит обвес переплат дорого. дороговато
        завыш дерут. обдира обирал грабёж штраф наказ отказыва отказали. отказал. отказ. вымогат
        кошмарн скверн убог жалк. жалкий. жалкое. халатн нечест несправедлив подл. подло. подвел
        подвод подвели подводит подвела ухудш хуж некомпет непрофес невеж невежлив невоспит неряш
        небреж безграм бестолк бестол тупой. тупо. тупая. тупит. тупят глуп глупо. дурац дурак.
        больно. болит. сыпь. аллерг ожог травм страшно. страх. опасн опасно. угроз заблокир блокир
        списали. украли. украл. крадут развалюх ломает ломают сломался хлипк шатк шумит. шумн
        грохоч скрип хрип скуч скука. нудн занудн уныл тоск посредств слабо. слабый. слабая.
        никак. никуд никчем никудыш непонят непонятн запутан мутн неясно. мута терпеть. терпеню
        терпени нерв. нервы. нервов. кошм вымотал отвратно. отврати хватит. лопну верните.
        недозвон недостат недода недоста невыносим несносн некрасив нелеп нелогичн несъедобн
        неспос нестаб неработ нерабоч брос. бросили. бросил. швыр швырн гоняют. гнать. отстаньте.
        отвяж прекратите. перестаньте. жестк обходите. обходить. полиня выцвел облез облеза колет
        колется натира натерл продав провис растян рвет рвется
    """,
    -1: """
        долго. долг. долгий. долгое. медлен ждать. ждем. ждал. ждала. ждали. жду. сложно. сложн
        трудно. трудн путан минус минусы мало. дорогой. дорогая. дорогое. дорог. странн странно.
        сомнит сомнев тяжел тесн тесно. очеред пуст. пусто. пустой. молчат молчит молчание. тишин
        тишина. старый. устарел надо. нужно. почему. сколько. опять. снова. вечно. постоян
        бесконеч никто. ничего. нигде. никогда. ноль. нуль. отсутств нехват уродл хаотич едва.
        еле. кое. якобы. типа. будто. увы. блин. черт. черта. кошелек. отмен перенес отпис ухожу.
        уйду. удалил. удаляю. закрываю. последний. вместо. верить. доверя доверие. снял. сняли.
        списал. спишут
    """,
}
GOOD_WORDS = {
    3: """
        прекрас велик великолеп превосх восхит восторг потряса обалден офиген шикар чудес чудо.
        чудно идеал безупреч бесподоб изумит изумл фантаст волшеб божеств обожа люблю. любим.
        любимый. любимая. любимое. незабыва наслажд счаст лучший. лучшая. лучшее. лучшие. лучших.
        гениал супер. супер суперск класс. классно классный классная классные крут. круто. крутой.
        крутая. крутые. отличн отлично. замечат невероят превосход безумно. блеск. блестящ браво.
        ура. вау. пять. пятерк
    """,
    2: """
        хорош хорошо. добр доброжел доволь доволен. довольна. довольны. рад. рада. рады. радост
        радует. радуют. порадов обрадов спасибо. спс. благодар признател молодец. молодцы.
        молодчин нрав нравит понрав полюб приятн приятно. удоб удобно. комфорт уют уютн вкусн
        вкусно. свеж вежлив приветлив внимател заботл забот отзывчив любезн милы мило. милая.
        мила. милый. красив красот симпат стильн качествен надеж надёжн честн честно. справедл
        профессион грамот толков компетент быстр быстро. оператив шустр мгновен вовремя. аккурат
        чист. чисто. чистый. чистая. четк четко. полезн помог. помогли. помогла. помогает. выруч
        выручает спас. спасли. спасает рекоменд совет. советую. посовет впечатл интересн увлекат
        вдохнов талант мастерск успех успеш улучш лучше. починили. починил. исправил исправили
        решил решили решена легк легко. легче. дешев недорог выгод выгодн щедр скидк бесплат подар
        сюрприз уваж респект поклон комплимент тепло. теплый. тепло мягк сочн ярк ярко. гармон
        нежн безопасн стоило. стоит. годно. годный. топ. топов кайф кайфов балде огонь. бомба.
        зачет молодц
    """,
    1: """
        нормал норм. неплох просто. простой. понятн понятно. ясно. работает. ладно. плюс. плюсы.
        новый. удалось. получил получилось. наконец. доступн широк большой. свой. выбор. гаранти
        спокой улыб приход приду. вернусь. возвращаюсь закажу. закажем куплю. верю. доверяем
    """,
}
NEGATIONS = ("не", "ни", "нет", "без", "никогда", "нисколько", "ничуть", "нельзя", "вряд")
STRONGER = (
    *(
        "очень",
        "крайне",
        "совсем",
        "совершенно",
        "абсолютно",
        "полностью",
        "просто",
        "так",
        "такой",
    ),
    *(
        "такая",
        "такое",
        "такие",
        "слишком",
        "ужасно",
        "безумно",
        "сильно",
        "самый",
        "самая",
        "самое",
    ),
    *(
        "вообще",
        "чрезвычайно",
        "невероятно",
        "очч",
        "оч",
        "сплошной",
        "сплошная",
        "полный",
        "полная",
    ),
)
WEAKER = ("немного", "чуть", "слегка", "довольно", "почти", "местами", "иногда", "отчасти")
TURNS = ("но", "однако", "зато", "а")  # what follows weighs more than what went before

# What customers say of goods and services, and VADER's lists, made from messages among friends, do
# not have or take otherwise: whole words, every form by itself.
ENGLISH_WORDS = {
    -3.0: """
        unacceptable ripoff rip-off scam scams scammed unusable filthy disgusting overcharged
        outrageous nightmare nightmares incompetent incompetence worst garbage rubbish liar liars
    """,
    -2.0: """
        broke breaks snapped cracked crack cracks leak leaks leaked leaking leaky scratched
        scratches torn tore soaked ruined ruin ruins mould moulds mouldy mold moldy stale soggy
        burnt stinks smelly rude rudely rudeness arrogant clueless careless sloppy shoddy flimsy
        cheaply defective faulty fault malfunction malfunctions malfunctioning crash crashes
        crashed crashing freezes froze hangs laggy lags lagging bug bugs buggy glitch glitches
        glitchy outage outages unreliable unresponsive unreachable unhelpful unprofessional
        unfriendly uncomfortable unbearable unreadable unfinished unfair overpriced overbooked
        overcrowded overheats overheated misleading misled mislead dishonest deceived deceptive
        excuse excuses ignored ignores ignoring ignore neglected refuses refused refusing rejected
        rejects delayed delays delay late overdue worse worsens bland tasteless inedible
        undercooked raw noisy annoying annoys complained complaint complaints complain complaining
        disappoint disappointing disappointment letdown inferior mediocre subpar useless pointless
        hopeless waste wasted wasting joke nonsense apologise apology apologised apologized fake
        false incorrect incomplete shame shameful regret regretting jammed jams stuck wobbles
        wobbly blurry crackles itchy rash blisters nobody ridiculous absurd chaos chaotic robbery
        greedy mess messy messed horrible awful
    """,
    -1.0: """
        slow slowly slower wait waited waits waiting queue queues again still never nothing none
        missing misses lacks lack lacking wrong wrongly instead twice stop stops stopped expire
        expired expires expensive pricey confusing confused complicated difficult impossible
        cancelled canceled unsubscribed refund refunded dead empty cold dirty loud heavy thin weak
        dull boring bored hidden forgot forgotten forget nowhere barely hardly supposedly
        allegedly return returned fees fee extra unable fails failed fail failing wobble
    """,
    1.0: """
        quick quickly prompt promptly smooth smoothly punctual tidy fresh soft solid sturdy
        spotless easily simple intuitive recommend recommended recommends worth affordable
        generous helpful competent knowledgeable attentive responsive reliable durable cosy cozy
        tasty delicious
    """,
}
